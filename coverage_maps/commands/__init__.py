"""`farola coverage|plan|demand|scenario|deployments` and `farola survey calibrate`."""
