"""Commands that write what is known of studies into files, and compare studies."""
