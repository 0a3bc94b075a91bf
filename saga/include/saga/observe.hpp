// The main() of an observer: a program that reads the stream and tells how each saga stands.
#pragma once

namespace saga {

/// Runs an observer until SIGTERM or SIGINT. It keeps what the stream says of every saga in
/// `observer.db` of its folder, and answers `saga-ctl.observer.trace` and others; it writes nothing
/// to any stream or bucket, and no saga is another one for its being there. `--help` lists the
/// flags. Returns the exit code, having said in one sentence on stderr what stopped it.
int observe(int argc, char** argv);

}  // namespace saga
