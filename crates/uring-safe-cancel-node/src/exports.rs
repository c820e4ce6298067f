//! What the addon exports by napi-rs, because it is not hot.

mod descriptors;
mod probe;
mod ring;
