//! Whole configurations in, meanings and diagnostics out.

use std::path::Path;
use std::sync::Arc;

use crate::testing::{Files, config, meaning, origin, reading, said};
use crate::value::{Level, Part, Text, UwsgiPass, Variable};
use crate::{Config, Found, Http, Matcher, Origin, Tree, UpstreamKind, read, typed};

fn http(text: &str) -> Http {
    config(&format!("http {{ {text} }}")).http.expect("an http block")
}

/// Every file of tests/configs whose name ends with `.conf`, against the `.want` beside it.
/// UPDATE=1 writes them.
#[test]
fn every_pair_of_tests_configs_says_what_it_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/configs");
    let mut files = Files::default();
    for entry in std::fs::read_dir(&folder).expect("tests/configs").flatten() {
        let name = Path::new("/etc/liege").join(entry.file_name());
        files.0.insert(name, std::fs::read(entry.path()).expect("a file"));
    }
    let names: Vec<_> = files.0.keys().cloned().collect();
    for name in names.iter().filter(|name| name.extension().is_some_and(|end| end == "conf")) {
        let reading = read(&mut files, &origin(&name.to_string_lossy()));
        let typed = typed(&reading.tree);
        let mut page: String = typed.diagnostics.iter().map(|told| told.render(false)).collect();
        page.push_str(if typed.config.is_some() { "accepted\n" } else { "refused\n" });
        let want = folder.join(name.file_name().expect("a name")).with_extension("want");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&want, &page).expect("the file can be written");
        }
        let wanted = std::fs::read_to_string(&want).unwrap_or_default();
        assert_eq!(page, wanted, "{} (UPDATE=1 rewrites it)", want.display());
    }
}

#[test]
fn all_defaults_pass_through_their_own_readers() {
    let config = config("http { } app a { module x; }");
    let settings = &config.http.as_ref().expect("http").settings;
    assert_eq!(settings.static_files.root.path.literal(), Some(&b"/var/lib/liege/html"[..]));
    assert_eq!(settings.uwsgi.busy_size(), 8192);
    let html = settings.types.types.of(b"HTML").expect("a type");
    assert_eq!(&html[..], b"text/html");
    assert!(settings.types.types.of(b"css").is_none());
    assert_eq!(config.deployment().pid, Path::new("/var/lib/liege/logs/liege.pid"));
}

#[test]
fn a_nested_block_has_what_stands_below_it_in_the_block_around() {
    let http = http("server { location / { } root /below; } root /further;");
    let server = &http.servers[0];
    assert_eq!(server.settings.static_files.root.path, Text::of(b"/below"));
    assert_eq!(server.locations.all()[0].settings.static_files.root.path, Text::of(b"/below"));
}

#[test]
fn one_line_of_a_list_drops_all_that_was_said_further_out() {
    let http = http(
        "add_header A 1; add_header B 2; error_page 404 /a; error_page 403 /b; index a b; index c;
         server { add_header C 3; location / { error_page 500 /c; index d; } }",
    );
    let names = |settings: &crate::Settings| -> Vec<String> {
        let names = settings.headers.add_header.iter();
        names.map(|header| String::from_utf8_lossy(&header.name).into_owned()).collect()
    };
    let location = &http.servers[0].locations.all()[0].settings;
    assert_eq!(names(&http.settings), ["A", "B"]);
    assert_eq!(names(&http.servers[0].settings), ["C"]);
    assert_eq!(names(location), ["C"]);
    assert_eq!(http.settings.errors.error_page.len(), 2);
    assert_eq!(location.errors.error_page.len(), 1);
    assert_eq!(http.settings.static_files.index.len(), 3);
    assert_eq!(location.static_files.index.len(), 1);
}

#[test]
fn a_table_of_types_replaces_the_one_further_out() {
    let http = http("types { a/b x; } types { c/d y; } server { types { e/f z; } }");
    assert!(http.settings.types.types.of(b"x").is_some());
    assert!(http.settings.types.types.of(b"y").is_some());
    let inner = &http.servers[0].settings.types.types;
    assert!(inner.of(b"x").is_none() && inner.of(b"html").is_none() && inner.of(b"Z").is_some());
}

#[test]
fn some_directives_are_not_inherited_and_internal_is() {
    let http = http(
        "server { try_files a b; return 404;
             location /a { uwsgi_pass unix:/x; try_files a b; internal; location /a/b { } } }",
    );
    let server = &http.servers[0];
    let outer = &server.locations.all()[0];
    let inner = &outer.locations.all()[0];
    assert!(outer.settings.uwsgi.uwsgi_pass.is_some() && outer.rewrite.steps.is_empty());
    assert!(server.settings.static_files.try_files.is_some() && server.rewrite.steps.len() == 1);
    assert!(inner.settings.uwsgi.uwsgi_pass.is_none());
    assert!(inner.settings.static_files.try_files.is_none());
    assert!(inner.settings.static_files.internal.0);
}

#[test]
fn a_nested_location_keeps_the_alias_with_the_outer_literal() {
    let http =
        http("server { location /a/ { alias /x/; location /a/b/ { } location ~ c { root /y; } } }");
    let outer = &http.servers[0].locations.all()[0];
    let inner = outer.locations.all();
    assert_eq!(inner[0].settings.static_files.root.alias.as_deref(), Some(&b"/a/"[..]));
    assert_eq!(inner[1].settings.static_files.root.alias, None);
}

#[test]
fn access_log_off_cancels_its_level_only() {
    let http = http(
        "access_log logs/a; access_log logs/b; server { access_log logs/c; access_log off; }
         server { location / { access_log off; } }",
    );
    assert_eq!(http.settings.logs.access_log.logs.len(), 2);
    assert!(http.servers[0].settings.logs.access_log.logs.is_empty());
    assert_eq!(http.servers[1].settings.logs.access_log.logs.len(), 2);
    assert!(http.servers[1].locations.all()[0].settings.logs.access_log.logs.is_empty());
}

#[test]
fn the_error_log_of_the_main_level_holds_for_the_web() {
    let config = config("error_log /x warn; http { server { error_log stderr info; } server { } }");
    let http = config.http.as_ref().expect("http");
    assert_eq!(http.servers[1].settings.logs.error_log[0].level, Level::Warn);
    assert_eq!(http.servers[0].settings.logs.error_log[0].level, Level::Info);
    let logs = config.deployment().logs;
    let paths: Vec<_> = logs.iter().map(|path| path.display().to_string()).collect();
    assert_eq!(paths, ["/var/lib/liege/logs/access.log", "/x", "stderr"]);
}

#[test]
fn an_error_log_of_the_command_line_is_the_default_and_no_more() {
    let logs = |text: &str| {
        let error_log = Some("logs/early.log".into());
        let origin = Origin { error_log, text: Some(text.into()), ..origin("/liege.conf") };
        let reading = read(&mut Files::default(), &origin);
        typed(&reading.tree).config.expect(text).deployment().error_log
    };
    assert_eq!(logs(""), [("/var/lib/liege/logs/early.log".into(), 3)]);
    assert_eq!(logs("error_log /own.log warn;"), [("/own.log".into(), 4)]);
}

#[test]
fn a_list_of_the_main_level_takes_the_place_of_the_default() {
    let deployment = config("error_log /a; error_log /b debug;").deployment();
    assert_eq!(deployment.error_log, [("/a".into(), 3), ("/b".into(), 7)]);
    assert!(!deployment.http && deployment.logs.is_empty());
}

fn found(http: &Http, path: &str) -> String {
    let name = |matcher: &Matcher| String::from_utf8_lossy(matcher.name()).into_owned();
    match http.servers[0].locations.locate(path.as_bytes()).expect("few steps") {
        Found::Server => "server".into(),
        Found::AddSlash(location) => format!("slash {}", name(&location.matcher)),
        Found::Location(location, captures) => {
            let kind = match &location.matcher {
                Matcher::Exact(_) => "=",
                Matcher::Regex(_) => "~",
                _ => "",
            };
            let group = captures.map(|captures| captures.group(1).to_vec()).unwrap_or_default();
            let group = String::from_utf8_lossy(&group).into_owned();
            let group = if group.is_empty() { group } else { format!(" {group}") };
            format!("{kind}{}{group}", name(&location.matcher))
        }
    }
}

#[test]
fn locations_are_chosen_in_nginx_s_order() {
    let http = http(
        r"server {
            location = /x { }
            location /x { }
            location /images/ { }
            location ^~ /images/fixed/ { }
            location ~ \.(gif|png)$ { }
            location ~* \.PHP$ { }
            location /docs/ { location /docs/deep/ { } location = /docs/one { } location ~ two$ { } }
            location ^~ /final/ { location /final/in/ { } location ~ \.png$ { } }
            location ~ ^/re/ { location ~ end$ { } }
            location /app/ { uwsgi_pass unix:/a; }
            location /var/ { uwsgi_pass $host; }
            location /ab { } location /abc { } location /abd { }
        }",
    );
    let table = [
        ("/x", "=/x"),
        ("/xy", "/x"),
        ("/", "server"),
        ("", "server"),
        ("/images/a.gif", r"~\.(gif|png)$ gif"),
        ("/images/fixed/a.gif", "/images/fixed/"),
        ("/images/a.txt", "/images/"),
        ("/a.php", r"~\.PHP$"),
        ("/docs/one", "=/docs/one"),
        ("/docs/deep/x", "/docs/deep/"),
        ("/docs/deep/x.gif", r"~\.(gif|png)$ gif"),
        ("/docs/deep/two", "~two$"),
        ("/docs/two", "~two$"),
        ("/final/in/a.gif", "/final/in/"),
        ("/final/a.png", r"~\.png$"),
        ("/re/end", "~end$"),
        ("/re/x", "~^/re/"),
        ("/app", "slash /app/"),
        ("/app/x", "/app/"),
        ("/ap", "server"),
        ("/var", "server"),
        ("/abb", "/ab"),
        ("/abcd", "/abc"),
        ("/abe", "/ab"),
    ];
    for (path, wanted) in table {
        assert_eq!(found(&http, path), wanted, "{path}");
    }
}

#[test]
fn a_pattern_that_explodes_is_an_error_and_not_a_hang() {
    let http = http("server { location ~ ^(a+)+$ { } }");
    let path = format!("/{}", "a".repeat(64));
    assert!(http.servers[0].locations.locate(format!("{}!", &path[1..]).as_bytes()).is_err());
}

fn server(http: &Http, listener: usize, host: &str) -> usize {
    let chosen = http.listeners[listener].server_for(None, host.as_bytes()).expect("few steps");
    chosen.server.index
}

#[test]
fn the_server_is_chosen_by_exact_name_then_stars_then_expressions_then_the_default() {
    let http = http(
        r"server { listen 80; server_name first; }
          server { listen 80; server_name *.a.b .c.d; }
          server { listen 80; server_name *.x.a.b www.*; }
          server { listen 80; server_name ~^(?<user>\w+)\.re$ ~^Upper$; }
          server { listen 80 default_server; server_name www.exact; }
          server { listen 80; }",
    );
    let table = [
        ("first", 0),
        ("q.a.b", 1),
        ("a.b", 4),
        ("c.d", 1),
        ("z.c.d", 1),
        ("z.x.a.b", 2),
        ("www.a.b", 1),
        ("www.q", 2),
        ("www.exact", 4),
        ("joe.re", 3),
        ("upper", 3),
        ("nobody", 4),
        ("", 5),
    ];
    for (host, wanted) in table {
        assert_eq!(server(&http, 0, host), wanted, "{host}");
    }
    let chosen = http.listeners[0].server_for(None, b"joe.re").expect("few steps");
    let captures = chosen.captures.expect("captures");
    assert_eq!(captures.named(captures.names[0].1), Some(&b"joe"[..]));
}

#[test]
fn a_wildcard_socket_takes_the_connections_of_addresses_that_are_not_bound_alone() {
    let http = http(
        "server { listen 80; } server { listen 127.0.0.1:80; } server { listen 127.0.0.2:80 bind; }
         server { listen 127.0.0.3:81; } server { listen [::]:80; }",
    );
    let addresses: Vec<String> =
        http.listeners.iter().map(|listener| listener.address.to_string()).collect();
    assert_eq!(addresses, ["0.0.0.0:80", "127.0.0.2:80", "127.0.0.3:81", "[::]:80"]);
    let on = |ip: &str| {
        let hosts = http.listeners[0].hosts(Some(ip.parse().unwrap()));
        hosts.default.index
    };
    assert_eq!((on("127.0.0.1"), on("10.0.0.1")), (1, 0));
}

#[test]
fn a_server_without_an_address_listens_where_its_user_may() {
    let tree = |root| Tree { root, ..reading(b"http { server { } }", &[]).tree };
    let address = |root| {
        let config = typed(&tree(root)).config.expect("a configuration");
        config.deployment().listeners[0].address.to_string()
    };
    assert_eq!((address(true).as_str(), address(false).as_str()), ("0.0.0.0:80", "0.0.0.0:8000"));
}

#[test]
fn listen_takes_ranges_names_and_options() {
    let http = http(
        "server { listen 8000-8002; listen localhost:81 so_keepalive=30m::10 rcvbuf=8k ipv6only=off; }",
    );
    let addresses: Vec<String> =
        http.listeners.iter().map(|listener| listener.address.to_string()).collect();
    let wanted = ["0.0.0.0:8000", "0.0.0.0:8001", "0.0.0.0:8002", "127.0.0.1:81", "[::1]:81"];
    assert_eq!(addresses, wanted);
    let options = &http.listeners[3].options;
    assert_eq!(
        (options.rcvbuf, options.keep_count, options.ipv6only),
        (Some(8192), Some(10), false)
    );
    assert_eq!(options.keep_idle, Some(std::time::Duration::from_secs(1800)));
}

#[test]
fn uwsgi_pass_knows_apps_upstreams_and_addresses() {
    let config = config(
        "http { server { location /a { uwsgi_pass blog; } location /b { uwsgi_pass up; }
             location /c { uwsgi_pass 127.0.0.1:3031; } location /d { uwsgi_pass unix:run/x.sock; }
             location /e { uwsgi_pass $host; } location /f { uwsgi_pass uwsgi://BLOG; } }
             upstream up { server localhost; } }
         app blog { module x; }
         app other { module x; }",
    );
    let http = config.http.as_ref().expect("http");
    let passes: Vec<String> = http.servers[0]
        .locations
        .all()
        .iter()
        .map(|location| match &location.settings.uwsgi.uwsgi_pass {
            Some(UwsgiPass::To(upstream)) => {
                assert!(Arc::ptr_eq(upstream, &http.upstreams[upstream.index]));
                format!("{:?} {}", upstream.kind, upstream.name)
            }
            other => format!("{}", other.is_some()),
        })
        .collect();
    let wanted = [
        "App blog",
        "Block up",
        "Literal 127.0.0.1:3031",
        "Literal unix:run/x.sock",
        "true",
        "App blog",
    ];
    assert_eq!(passes, wanted);
    let up = http.upstream(b"UP").expect("the upstream");
    assert_eq!(up.peers[0].addresses.len(), 2);
    assert_eq!(up.kind, UpstreamKind::Block);
    // One location names its app by a variable, so any app may be meant.
    assert_eq!(config.deployment().names, ["blog", "other"]);
}

#[test]
fn web_workers_type_the_same_without_what_is_none_of_their_business() {
    let text = "env SECRET=1; app blog { module x; env KEY=secret; } http { upstream up { server unix:/a; }
        server { location / { uwsgi_pass blog; } location /u { uwsgi_pass up; } } }";
    let tree = reading(text.as_bytes(), &[]).tree;
    let bytes = tree.for_web().to_bytes();
    assert!(!bytes.windows(6).any(|bytes| bytes == b"SECRET" || bytes == b"secret"));
    let web = typed(&Tree::from_bytes(&bytes).expect("a tree")).config.expect("a configuration");
    let own = typed(&tree).config.expect("a configuration");
    let names = |config: &Config| -> Vec<String> {
        let http = config.http.as_ref().expect("http");
        http.upstreams.iter().map(|upstream| upstream.name.to_string()).collect()
    };
    assert_eq!(names(&web), names(&own));
}

#[test]
fn a_comment_or_an_app_s_setting_leaves_the_web_s_fingerprint_alone() {
    let print = |text: &str| config(text).web_print;
    let before = print("app a { module x; } http { root /x; }");
    assert_eq!(before, print("app a { module y; } # more\n\nhttp {\n root '/x'; }"));
    assert_ne!(before, print("app a { module x; } http { root /y; }"));
    assert_ne!(before, print("app b { module x; } http { root /x; }"));
}

#[test]
fn an_app_s_paths_start_at_its_working_directory_wherever_that_is_said() {
    let text = "app a { wsgi_file w.py; virtualenv venv; chdir sub; touch_reload /abs w.py; socket a.sock; }";
    assert_eq!(
        said(text),
        [
            "[emerg] invalid number of arguments in \"touch_reload\" directive in /etc/liege/liege.conf:1"
        ]
    );
    let text =
        "app a { wsgi_file w.py:app; virtualenv venv; chdir sub; touch_reload t; socket a.sock; }
                app b { module m.n:make(); env A=b=c; env D 'e f'; }";
    let apps = config(text).deployment().apps;
    assert_eq!(apps[0].wsgi_file.as_deref(), Some(Path::new("/etc/liege/sub/w.py:app")));
    assert_eq!(apps[0].virtualenv.as_deref(), Some(Path::new("/etc/liege/sub/venv")));
    assert_eq!(apps[0].touch_reload, [Path::new("/etc/liege/sub/t")]);
    assert_eq!(
        apps[0].socket.as_ref().map(|s| s.to_string()).as_deref(),
        Some("unix:/var/lib/liege/a.sock")
    );
    assert_eq!(
        (apps[1].module.as_deref(), apps[1].callable.as_deref()),
        (Some("m.n"), Some("make()"))
    );
    assert_eq!(apps[1].env, [("A".into(), "b=c".into()), ("D".into(), "e f".into())]);
    assert_eq!(apps[1].place, "/etc/liege/liege.conf:2");
}

#[test]
fn text_is_compiled_into_parts() {
    let http =
        http(r"server { location ~ (?<Name>.) { add_header X 'a$1b${name}c$HTTP_X_Y$12'; } }");
    let parts = http.servers[0].locations.all()[0].settings.headers.add_header[0].value.clone();
    let literal = |text: &str| Part::Literal(text.as_bytes().into());
    let captured = http.captures.iter().position(|name| **name == *"name").expect("a capture");
    let wanted = [
        literal("a"),
        Part::Capture(1),
        literal("b"),
        Part::Variable(Variable::Captured(crate::value::CaptureId(captured as u32))),
        literal("c"),
        Part::Variable(Variable::RequestField("x_y".into())),
        Part::Capture(1),
        literal("2"),
    ];
    assert_eq!(parts.parts(), wanted);
}

#[test]
fn globals_come_first_and_count_as_the_main_level() {
    let mut files = Files::default();
    files.0.insert("/etc/liege/liege.conf".into(), b"daemon on;\nuser a;".to_vec());
    let mut origin = origin("/etc/liege/liege.conf");
    origin.globals = b"daemon off; worker_processes 3; http { }".to_vec();
    let said: Vec<String> =
        typed(&read(&mut files, &origin).tree).diagnostics.iter().map(|told| told.line()).collect();
    assert_eq!(
        said,
        [
            "block directives are not supported in -g option in command line",
            "\"daemon\" directive is duplicate in /etc/liege/liege.conf:1"
        ]
    );
    origin.globals = b"worker_processes 3".to_vec();
    let broken = typed(&read(&mut files, &origin).tree).diagnostics;
    assert_eq!(broken[0].line(), "unexpected end of parameter, expecting \";\" in command line");
    origin.globals = b"worker_processes 3;".to_vec();
    let config = typed(&read(&mut files, &origin).tree).config.expect("a configuration");
    assert_eq!(config.deployment().workers, Some(3));
}

#[test]
fn a_main_file_that_is_not_there_is_told_as_nginx_tells_it() {
    let said: Vec<String> = typed(&read(&mut Files::default(), &origin("/nowhere")).tree)
        .diagnostics
        .iter()
        .map(|told| told.render(false))
        .collect();
    assert_eq!(
        said,
        ["liege: [emerg] open() \"/nowhere\" failed (2: No such file or directory)\n"]
    );
}

#[test]
fn includes_are_read_in_the_order_of_their_names_and_kept_in_the_order_of_reading() {
    let others =
        [("/etc/liege/c/b.conf", "worker_processes 2;"), ("/etc/liege/c/a.conf", "user a;\n")];
    let reading = reading(b"include c/*.conf;\ninclude c/x*;", &others);
    let files: Vec<_> = reading.files.iter().map(|(path, _)| path.display().to_string()).collect();
    assert_eq!(files, ["/etc/liege/liege.conf", "/etc/liege/c/a.conf", "/etc/liege/c/b.conf"]);
    assert_eq!(reading.globs, [Path::new("/etc/liege/c/*.conf"), Path::new("/etc/liege/c/x*")]);
    assert_eq!(typed(&reading.tree).config.expect("ok").deployment().workers, Some(2));
}

#[test]
fn files_that_include_each_other_and_deep_blocks_come_to_an_end() {
    let cycle =
        reading(b"include a;", &[("/etc/liege/a", "include b;"), ("/etc/liege/b", "include a;")]);
    assert_eq!(
        typed(&cycle.tree).diagnostics[0].line(),
        "\"/etc/liege/a\" includes itself in /etc/liege/b:1"
    );
    let deep = "location / {".repeat(5000);
    assert!(meaning(&format!("http {{ server {{ {deep}")).config.is_none());
    let wide: Vec<(String, String)> = (0..30)
        .map(|n| (format!("/etc/liege/{n}"), format!("include {};include {};", n + 1, n + 1)))
        .collect();
    let wide: Vec<(&str, &str)> = wide.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert!(typed(&reading(b"include 0;", &wide).tree).config.is_none());
}

#[test]
fn a_file_that_is_no_configuration_is_told_in_few_words() {
    let typed = meaning(&"nonsense here;\n".repeat(5000));
    assert_eq!(typed.diagnostics.len(), 201);
    assert_eq!(typed.diagnostics[200].line(), "4800 more are not shown");
}

#[test]
fn every_name_of_nginx_is_ours_or_refused_as_not_implemented() {
    for (name, contexts) in crate::names::all() {
        let Some(text) = around(name, contexts) else { continue };
        let said = said(&text);
        let missing = format!("liege does not implement {name} yet");
        let ours = crate::table().any(|row| row.name == name);
        assert!(
            said.iter().any(|line| line.contains(&missing)) || ours,
            "{name} ({contexts}): {said:?}"
        );
        assert!(!said.iter().any(|line| line.contains("unknown directive")), "{name}: {said:?}");
    }
}

/// A line in a place where nginx allows it.
fn around(name: &str, contexts: &str) -> Option<String> {
    Some(match contexts.split(',').next()? {
        "main" => format!("{name} 1;"),
        "events" => format!("events {{ {name} 1; }}"),
        "http" => format!("http {{ {name} 1; }}"),
        "server" => format!("http {{ server {{ {name} 1; }} }}"),
        "location" => format!("http {{ server {{ location / {{ {name} 1; }} }} }}"),
        "upstream" => format!("http {{ upstream u {{ {name} 1; }} }}"),
        _ => return None,
    })
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_an_answer(bytes: Vec<u8>) {
        typed(&reading(&bytes, &[]).tree);
    }

    #[test]
    fn any_words_in_any_order_are_an_answer(
        words in proptest::collection::vec(proptest::sample::select(words()), 0..60)
    ) {
        let tree = reading(words.join(" ").as_bytes(), &[]).tree;
        let typed = typed(&tree);
        for told in &typed.diagnostics {
            told.render(true);
        }
        if typed.config.is_some() {
            let web = Tree::from_bytes(&tree.for_web().to_bytes()).expect("a tree");
            proptest::prop_assert!(super::typed(&web).config.is_some());
        }
    }
}

/// Names, values and marks, so that random texts get past the lexer.
fn words() -> Vec<String> {
    let names = crate::table().map(|row| row.name.to_string());
    let values = [
        "{",
        "}",
        "{",
        "}",
        ";",
        ";",
        ";",
        "http {",
        "server {",
        "location / {",
        "app a {",
        "upstream u {",
        "on",
        "off",
        "80",
        "/x",
        "~",
        "=",
        "@n",
        "$host",
        "\"",
        "'",
        "#\n",
        "1k",
        "10s",
        "unix:/a",
        "(",
        "\\",
        "${",
        "*.a",
        "u",
        "a",
        "=404",
    ];
    names.chain(values.map(String::from)).collect()
}
