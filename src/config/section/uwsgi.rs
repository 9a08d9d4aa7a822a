//! Requests that go to an app or another server by the uwsgi protocol.

use std::time::Duration;

use crate::directive::Check;
use crate::value::{
    Bounded, Buffers, Bytes, Complaint, List, NextUpstream, Off, Size, TempPath, UwsgiParam,
    UwsgiPass,
};

directives! {
    /// APPS AND UWSGI SERVERS
    pub struct Uwsgi in [Http, Server, Location] {
        /// Sends requests to an app by its name, to an {upstream}, or to an address.
        uwsgi_pass: Option<UwsgiPass> = none in [Location], inherits never;

        /// A parameter that goes with requests; several lines add up, one line replaces all that
        /// was said further out. One named HTTP_X takes the place of the client's field X. To an
        /// app, the standard parameters (QUERY_STRING, REQUEST_METHOD, CONTENT_TYPE,
        /// CONTENT_LENGTH, REQUEST_URI, PATH_INFO, DOCUMENT_ROOT, SERVER_PROTOCOL, REQUEST_SCHEME,
        /// HTTPS, REMOTE_ADDR, REMOTE_PORT, SERVER_PORT, SERVER_NAME) are always sent, and a line
        /// of the same name replaces one. A SCRIPT_NAME for an app is also cut from the beginning
        /// of its PATH_INFO.
        uwsgi_param: List<UwsgiParam> = none;

        /// How long a connection may take to be made.
        uwsgi_connect_timeout: Duration = "60s";

        /// How long the other side may pause while it is sent a request.
        uwsgi_send_timeout: Duration = "60s";

        /// How long the other side may pause while its response is read.
        uwsgi_read_timeout: Duration = "60s";

        /// Whether a response is read as fast as it comes and kept for the client; else it is
        /// passed on as it comes.
        uwsgi_buffering: bool = "on";

        /// The buffer for the beginning of a response: its whole head must fit in.
        uwsgi_buffer_size: Size = "4k";

        /// The buffers for the rest of one response.
        uwsgi_buffers: Buffers = "8 4k";

        /// How much of {uwsgi_buffers} may be on the way to the client while the response is still
        /// read. By default twice the larger of {uwsgi_buffer_size} and one of {uwsgi_buffers}.
        uwsgi_busy_buffers_size: Option<Size> = none;

        /// How much of a response may go to a temporary file when the buffers are full; 0 for none.
        uwsgi_max_temp_file_size: Size = "1024m";

        /// How much is written to a temporary file at once.
        uwsgi_temp_file_write_size: Option<Size> = none;

        /// The directory of temporary files for responses. The files have no names, so the levels
        /// are without effect.
        uwsgi_temp_path: TempPath = "uwsgi_temp";

        /// Whether a request's body is read whole before the request is passed on.
        uwsgi_request_buffering: bool = "on";

        /// Whether a request is passed on with its fields.
        uwsgi_pass_request_headers: bool = "on";

        /// Whether a request is passed on with its body.
        uwsgi_pass_request_body: bool = "on";

        /// Whether {error_page} answers for errors of the other side.
        uwsgi_intercept_errors: bool = "off";

        /// Whether a request goes on when its client has left.
        uwsgi_ignore_client_abort: bool = "off";

        /// A field of the response that clients do not get; several lines add up. X-Accel-... never
        /// reach them.
        uwsgi_hide_header: List<Bytes> = none;

        /// A field that clients get although it is hidden by default; several lines add up.
        uwsgi_pass_header: List<Bytes> = none;

        /// When the next server is asked. Nothing was sent to the client yet; a POST, LOCK or PATCH
        /// that was sent on already is repeated with `non_idempotent` only.
        uwsgi_next_upstream: NextUpstream = "error timeout";

        /// How many servers are asked; 0 for all.
        uwsgi_next_upstream_tries: u64 = "0";

        /// For how long servers are asked; 0 for ever.
        uwsgi_next_upstream_timeout: Duration = "0";

        /// The first modifier of the packet.
        uwsgi_modifier1: Bounded<0, 255> = "0";

        /// The second modifier of the packet.
        uwsgi_modifier2: Bounded<0, 255> = "0";

        /// The address that connections are made from: only `off` yet.
        uwsgi_bind: Off = "off";
    }
}

impl Uwsgi {
    /// `uwsgi_busy_buffers_size`, or what stands for it.
    pub fn busy_size(&self) -> u64 {
        let larger = self.uwsgi_buffer_size.0.max(self.uwsgi_buffers.size);
        self.uwsgi_busy_buffers_size.map_or(larger.saturating_mul(2), |size| size.0)
    }

    /// `uwsgi_temp_file_write_size`, or what stands for it.
    pub fn temp_write_size(&self) -> u64 {
        let larger = self.uwsgi_buffer_size.0.max(self.uwsgi_buffers.size);
        self.uwsgi_temp_file_write_size.map_or(larger.saturating_mul(2), |size| size.0)
    }
}

/// nginx's checks of `ngx_http_uwsgi_merge_loc_conf`, in its words.
impl Check for Uwsgi {
    fn check(&self) -> Vec<Complaint> {
        let Buffers { count, size } = self.uwsgi_buffers;
        let larger = self.uwsgi_buffer_size.0.max(size);
        let at_least = "must be equal to or greater than the maximum of the value of \
            \"uwsgi_buffer_size\" and one of the \"uwsgi_buffers\"";
        let mut complaints = vec![];
        if count < 2 {
            complaints.push(Complaint::new("there must be at least 2 \"uwsgi_buffers\""));
            return complaints;
        }
        if self.busy_size() < larger {
            complaints.push(Complaint::new(format!("\"uwsgi_busy_buffers_size\" {at_least}")));
        }
        if self.busy_size() > (count - 1).saturating_mul(size) {
            let message = "\"uwsgi_busy_buffers_size\" must be less than the size of all \
                \"uwsgi_buffers\" minus one buffer";
            complaints.push(Complaint::new(message).hint(format!(
                "with uwsgi_buffer_size {larger}: uwsgi_buffers {} {larger};",
                count.max(4),
            )));
        }
        if self.temp_write_size() < larger {
            complaints.push(Complaint::new(format!("\"uwsgi_temp_file_write_size\" {at_least}")));
        }
        let most = self.uwsgi_max_temp_file_size.0;
        if most != 0 && most < larger {
            let message = "\"uwsgi_max_temp_file_size\" must be equal to zero to disable temporary \
                files usage or must be equal to or greater than the maximum of the value of \
                \"uwsgi_buffer_size\" and one of the \"uwsgi_buffers\"";
            complaints.push(Complaint::new(message));
        }
        complaints
    }
}
