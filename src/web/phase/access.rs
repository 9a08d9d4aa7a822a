//! Who may ask.
//!
//! Nothing yet but what nobody may ask; whoever is asked for a password or an address waits here.

use crate::exchange::Exchange;
use crate::refusal::Refusal;

/// Refuses methods that have no meaning here: TRACE would send a client its own secrets back,
/// CONNECT is for proxies.
pub fn method(exchange: &Exchange) -> Result<(), Refusal> {
    match exchange.request.method() {
        b"TRACE" | b"CONNECT" => Err(Refusal::Method),
        _ => Ok(()),
    }
}
