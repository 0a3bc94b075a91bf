#include "tests/sim/wire.hpp"

#include <algorithm>

namespace saga::sim {

void Wire::send(Pipe& pipe, Frame frame) {
    if (broken_) return;
    pipe.last = std::max(pipe.last, schedule_.now() + net_.chance.between(net_.least, net_.most));
    pipe.frames.push_back({pipe.last, std::move(frame)});
    plan(pipe);
}

void Wire::plan(Pipe& pipe) {
    if (pipe.planned || pipe.frames.empty()) return;
    pipe.planned = true;
    const Steady when = std::max(pipe.frames.front().arrives, net_.stalled_until);
    schedule_.at(when, [self = shared_from_this(), &pipe] {
        pipe.planned = false;
        self->pump(pipe);
    });
}

void Wire::pump(Pipe& pipe) {
    if (host_ != net_.hosts) return pipe.frames.clear();
    while (!pipe.frames.empty() && pipe.frames.front().arrives <= schedule_.now() &&
           net_.stalled_until <= schedule_.now()) {
        const Frame frame = std::move(pipe.frames.front().frame);
        pipe.frames.pop_front();
        frame();
    }
    plan(pipe);
}

void Wire::snap() {
    if (broken_) return;
    broken_ = true;
    down_.frames.clear();
    if (!up_.frames.empty()) up_.frames.resize(net_.chance.below(up_.frames.size() + 1));
    if (on_break_) on_break_();
    on_break_ = nullptr;
}

}  // namespace saga::sim
