//! Who may ask.
//!
//! Nothing yet but what nobody may ask; whoever is asked for a password or an address waits here.

use crate::exchange::Exchange;
use crate::refusal::Refusal;

/// Refuses methods that have no meaning here: TRACE would send a client its own secrets back,
/// CONNECT is for proxies.
/// The connection ends: what follows may be meant for the other end of a tunnel.
pub fn method(exchange: &mut Exchange) -> Result<(), Refusal> {
    match exchange.request.method() {
        b"TRACE" | b"CONNECT" => {
            exchange.close = true;
            Err(Refusal::Method)
        }
        _ => Ok(()),
    }
}
