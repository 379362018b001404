//! The products as they are built: by a real builder, from bases of the same content as the real ones, and run.

mod bases;
