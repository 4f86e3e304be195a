//! Networks that are trained, quantized and judged by calls of the library.

mod aware;
mod quantized;
mod small_networks;
mod training;
