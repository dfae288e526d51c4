"""The families of decoders that are read, one file each; `table` lists them. A new one is its file and its row there."""
