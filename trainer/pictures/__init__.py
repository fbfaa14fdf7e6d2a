"""Going over any number of pictures with a frozen encoder, so that no row is lost or computed twice."""
