"""What propagation gives: losses, antennas, walls, calibration, footprints that are not round."""
