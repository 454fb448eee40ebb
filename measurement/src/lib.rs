//! Image bytes and VM shape in; event list and registers out.
