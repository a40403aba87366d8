"""Networks that answer an input before their last layer where they are sure enough of it."""
