"""Plans in words, pictures and files, in three languages."""
