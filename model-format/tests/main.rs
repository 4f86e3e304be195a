//! The format through its public interface: one program, since each test program is linked anew
//! whenever the library has changed.

mod bytes;
mod common;
mod descriptions;
mod layouts;
mod models;
mod rows;
mod single;
