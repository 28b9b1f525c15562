"""Use of the captive portal: figures that other systems export."""
