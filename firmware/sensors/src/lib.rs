//! Examples with sensors, over the traits of embedded-hal: readings through a model to an actuator.
//!
//! | module | application |
//! |---|---|
//! | [`dial`] | two analog channels, a regression, the duty of a PWM pin |
//! | [`motion`] | an accelerometer, features of a window, a classifier, a light |
//! | [`lis3dh`] | the accelerometer on its bus; with the feature `link` a computer records it |
//!
//! A step returns the error of a sensor to its caller; the next step goes on.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod dial;
pub mod lis3dh;
pub mod motion;
#[cfg(feature = "link")]
mod record;
