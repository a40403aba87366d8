"""Networks of torchvision and timm by name; torch is imported only when one is made."""
