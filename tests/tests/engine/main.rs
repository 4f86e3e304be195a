//! The engine on emulated cores and on this computer: every byte the reference's, and its costs.

mod counts;
mod int16_emulated;
mod kernel_emulated;
mod kernel_host;
mod minimal_image;
mod opt_levels;
mod overflow;
mod pack_properties;
mod parity_mnist;
mod raw_input;
mod sensor_counts;
mod stack;
mod weights_in_ram;
