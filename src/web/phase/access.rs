//! Who may ask. So far only for what nobody may ask.

use crate::exchange::Exchange;
use crate::exit::Exit;
use crate::refusal::Refusal;

/// Refuses methods that have no meaning here: TRACE would send a client its own secrets back, CONNECT is for proxies.
pub fn check(exchange: &Exchange) -> Result<(), Exit> {
    match exchange.request.method() {
        b"TRACE" | b"CONNECT" => Err(Refusal::Method.into()),
        _ => Ok(()),
    }
}
