//! Looks whether a window can be opened, before the window library and the renderer panic because it cannot.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use bevy::tasks::block_on;
use wgpu::{Backends, Instance, InstanceDescriptor, RequestAdapterOptions};

use super::error::AppError;

/// Looks for a graphics adapter.
///
/// # Errors
/// There is none.
pub(super) fn find_adapter() -> Result<(), AppError> {
    let mut descriptor = InstanceDescriptor::new_without_display_handle();
    descriptor.backends = Backends::from_env().unwrap_or(Backends::all());
    let instance = Instance::new(descriptor);
    block_on(instance.request_adapter(&RequestAdapterOptions::default()))
        .map(drop)
        .map_err(|_| AppError::NoWindow("no graphics adapter or driver was found".to_owned()))
}

/// Runs `build`, and turns a panic in it into an error that tells its message, without the usual noise on stderr.
///
/// # Errors
/// `build` panicked.
pub(super) fn without_panic<T>(build: impl FnOnce() -> T) -> Result<T, AppError> {
    let message = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&message);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or("unknown reason").to_owned();
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }));
    let built = catch_unwind(AssertUnwindSafe(build));
    std::panic::set_hook(usual);
    built.map_err(|_| {
        let said = message.lock().unwrap_or_else(PoisonError::into_inner);
        AppError::NoWindow(reason(&said))
    })
}

/// The part of a panic's message that helps a person.
fn reason(said: &str) -> String {
    if said.contains("DISPLAY") || said.contains("event loop") {
        "there is no display, or it does not answer".to_owned()
    } else {
        said.lines().next().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_sentence() {
        let error = without_panic(|| -> () { panic!("Failed to build event loop: Os(..)") }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "No window can be opened here (there is no display, or it does not answer); `evolora headless` runs without one."
        );
        assert_eq!(without_panic(|| 7).unwrap(), 7);
    }
}
