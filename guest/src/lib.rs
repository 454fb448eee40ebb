//! PID 1 of the image, and its roles.
