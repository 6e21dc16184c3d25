"""`python -m mediaserver` is the console script."""

from mediaserver.cli import main

if __name__ == "__main__":
    main(prog_name="mediaserver")
