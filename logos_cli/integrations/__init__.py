"""LOGOS inside other programs, each in a module of that program's name; built on what `import logos_cli` names."""
