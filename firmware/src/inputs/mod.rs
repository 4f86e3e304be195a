//! Inputs other than the link: what sensors say, through a model, to what it moves.
//!
//! | module | what |
//! |---|---|
//! | [`dial`] | two analogue channels, a regression, the duty of a PWM pin |
//! | [`motion`] | an accelerometer, features of a window, a classifier, a light |
//! | [`features`], [`lis3dh`] | the window; the accelerometer on its bus |
//!
//! An error of a sensor is for the caller to tell; the next step goes on.

pub mod dial;
pub mod features;
pub mod lis3dh;
pub mod motion;
