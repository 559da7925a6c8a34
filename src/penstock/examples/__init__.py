"""Projects that `penstock init` copies: `starter` when nothing is asked for, `shop` with --example shop."""
