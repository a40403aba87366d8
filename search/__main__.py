"""Where the command begins: signals are handled before anything that takes long is imported."""

from search.stop_signals import stop_signals


def main() -> None:
    """Run the command line; see `search.cli.main` for the exit codes."""
    stop_signals.install()
    from search.cli import main as run

    run()


if __name__ == "__main__":
    main()
