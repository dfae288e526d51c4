"""The bundled model: config, tokenizer, sampling table and bf16 weights of nano."""
