"""An exam on pixels: PHI drawn into images of all kinds, and images without any, through the product."""
