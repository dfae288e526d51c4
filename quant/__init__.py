"""Model file in, smaller model file out."""
