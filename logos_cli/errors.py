"""Everything that can go wrong in a user's hands, as one line and an exit code.

    LogosError                 exit 1
    ├── UsageError             exit 2   options that do not fit together, a missing input
    ├── InputError             a file of rows or records that cannot be read at all
    │   └── ForeignText        text outside a trimmed vocabulary
    ├── CheckpointError        a checkpoint folder that is not what it says
    ├── ModelFileError         a GGUF file or ONNX folder that cannot be used
    ├── TokenizerError         a vocabulary we cannot reproduce, a marker that is not one token
    ├── OutputError            an output that exists, cannot be written or resumed
    ├── EngineError            llama.cpp failed, memory is short, the device is not there
    ├── HubError               a hub that refuses, lacks or garbles what was asked of it
    │   └── HubUnreachable     no network, offline mode, a hub that is down
    └── MissingDependency      an extra or another version is needed; the message names the command

Each message names the path, the value found and what to do. Nothing below the command line prints or exits.
"""

from __future__ import annotations


class LogosError(Exception):
    """Base of all errors shown to users as one line."""

    exit_code = 1


class UsageError(LogosError):
    exit_code = 2


class InputError(LogosError):
    pass


class ForeignText(InputError):
    pass


class CheckpointError(LogosError):
    pass


class ModelFileError(LogosError):
    pass


class TokenizerError(LogosError):
    pass


class OutputError(LogosError):
    pass


class EngineError(LogosError):
    pass


class HubError(LogosError):
    pass


class HubUnreachable(HubError):
    pass


class MissingDependency(LogosError):
    pass
