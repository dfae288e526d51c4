"""What runs on a GPU machine: which rows change which, and speeds beside llama.cpp's. See docs/gpu.md."""
