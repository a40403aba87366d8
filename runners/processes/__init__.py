"""Fresh processes that can be ended, and end with whoever started them."""
