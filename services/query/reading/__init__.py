"""Where samples lie: in plain rows, or in sealed hours of packed columns. Whoever asks the store knows of neither."""
