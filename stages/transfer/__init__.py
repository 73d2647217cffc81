"""Transfer objects between any two pictures, quadrant by quadrant."""
