// What becomes of the broker, and of its store.
#include "saga/cli/chaos/torment.hpp"
#include "saga/cli/words.hpp"

namespace saga::cli {
namespace {

namespace files = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kCopy = files::copy_options::recursive | files::copy_options::overwrite_existing;

}  // namespace

void Torment::broker_kill() {
    say_("broker-kill");
    stage_.supervisor().strike(stage_.broker());
    ++tally_.kills;
    stage_.until(S(5), [&] { return stage_.supervisor().runs(stage_.broker()); });
    stage_.await_broker();
    struck("broker-kill");
}

void Torment::broker_pause() {
    const Duration time = draw(500ms, 7'000ms);
    say_(fmt::format("broker-pause for {}", brief(time)));
    stage_.supervisor().signal(stage_.broker(), SIGSTOP);
    stage_.pass(time);
    stage_.supervisor().signal(stage_.broker(), SIGCONT);
    stage_.await_broker();
    struck("broker-pause");
}

/// It comes back with the store that it had a while ago; what it acknowledged since is gone.
void Torment::broker_rollback() {
    const files::path store = stage_.plan().data / "nats", saved = stage_.plan().data / "nats.old";
    const Duration time = draw(500ms, 4'000ms);
    say_(fmt::format("broker-rollback by {}", brief(time)));
    files::remove_all(saved);
    stage_.supervisor().signal(stage_.broker(), SIGSTOP);
    stage_.pass(50ms);  // until it stands still
    files::copy(store, saved, kCopy);
    stage_.supervisor().signal(stage_.broker(), SIGCONT);
    linger(time);
    stage_.with_broker_down([&](const files::path&) {
        files::remove_all(store);
        files::rename(saved, store);
    });
    ++tally_.kills;
    struck("broker-rollback");
}

void Torment::broker_wipe() {
    say_("broker-wipe: its whole store is gone");
    stage_.with_broker_down([](const files::path& store) { files::remove_all(store); });
    ++tally_.kills;
    struck("broker-wipe");
}

}  // namespace saga::cli
