"""Run the command line as `python -m sysop`."""

from sysop.cli import main

if __name__ == "__main__":
    main()
