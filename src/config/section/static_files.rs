//! Files: where they are, which of them answers, with which conditions.

use crate::directive::Check;
use crate::value::{DocumentRoot, IfModifiedSince, IndexFile, List, Offset, Present, TryFiles};

directives! {
    /// STATIC FILES
    pub struct StaticFiles in [Http, Server, Location] {
        /// The directory in which paths are looked up: the whole path goes behind it. Shares its
        /// slot with {alias}.
        root: DocumentRoot = "html";

        /// The files that answer for a directory, the first that exists. A name that begins with a
        /// slash may be the last, and answers unseen.
        index: List<IndexFile> = "index.html";

        /// Answers with the first of these files that exists; a name with a slash behind it must be
        /// a directory. The last word is what happens otherwise: an internal redirect, a named
        /// location, or `=code`.
        try_files: Option<TryFiles> = none in [Server, Location], inherits never;

        /// Hides the location: requests from outside get 404; error_page, try_files, index and
        /// X-Accel-Redirect reach it.
        internal: Present = none in [Location];

        /// Whether files get an ETag: their modification time and size.
        etag: bool = "on";

        /// How If-Modified-Since is compared with the file's time: not at all, for equality, or for
        /// equal or later.
        if_modified_since: IfModifiedSince = "exact";

        /// The most ranges that one request may ask for; more get the whole file. 0 answers no
        /// ranges.
        max_ranges: Option<u64> = none;

        /// Accepted for nginx's sake: files are sent by sendfile(2) when they are large and from
        /// memory when they are small, either way with the same bytes.
        sendfile: bool = "off";

        /// The most bytes of one call of sendfile(2), so that one fast connection does not hold up
        /// others. 0 is no limit.
        sendfile_max_chunk: Offset = "2m";

        /// Whether files that do not exist are told in the error log.
        log_not_found: bool = "on";
    }
    shares {
        /// Replaces the part of the path that the location matched; in a location with a regular
        /// expression, the whole of it, built from captures.
        alias = root: DocumentRoot, in [Location];
    }
}

impl Check for StaticFiles {}
