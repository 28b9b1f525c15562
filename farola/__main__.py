"""`python -m farola`: the same command as `farola`, for child processes of one environment."""

from farola.cli import main

main()
