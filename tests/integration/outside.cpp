#include "tests/integration/outside.hpp"

#include "tests/integration/stage.hpp"

namespace saga::testing {

runtime::Ask Outside::ask() {
    return [this](std::string_view subject, Bytes, std::string_view key, auto) {
        auto said = answer(std::string(subject), std::string(key));
        if (!said) throw Error("nobody answers");
        return *std::move(said);
    };
}

void Outside::serve(const Broker& broker) {
    client_ = std::make_unique<bus::NatsClient>(address_of(broker), "outside");
    for (const char* subject : {"test.check", "test.withdraw"})
        client_->serve(subject, 1, [this, subject](auto questions) {
            return std::vector{answer(subject, questions.front().key)};
        });
}

void Outside::silence(const std::string& subject) {
    const std::lock_guard lock(mutex_);
    silent_.insert(subject);
}

void Outside::hold(const std::string& subject) {
    const std::lock_guard lock(mutex_);
    held_.insert(subject);
}

void Outside::speak() {
    const std::lock_guard lock(mutex_);
    silent_.clear();
    held_.clear();
    spoken_.notify_all();
}

void Outside::say(std::string verdict) {
    const std::lock_guard lock(mutex_);
    verdict_ = std::move(verdict);
}

int Outside::asked(const std::string& subject) const {
    const std::lock_guard lock(mutex_);
    const auto found = asked_.find(subject);
    return found == asked_.end() ? 0 : found->second;
}

std::size_t Outside::done(const std::string& subject) const {
    const std::lock_guard lock(mutex_);
    const auto found = keys_.find(subject);
    return found == keys_.end() ? 0 : found->second.size();
}

std::vector<std::string> Outside::order() const {
    const std::lock_guard lock(mutex_);
    return order_;
}

std::optional<std::vector<std::byte>> Outside::answer(const std::string& subject, std::string key) {
    std::unique_lock lock(mutex_);
    ++asked_[subject];
    if (keys_[subject].insert(std::move(key)).second) order_.push_back(subject);
    spoken_.wait_for(lock, 20s, [&] { return !held_.contains(subject); });
    if (silent_.contains(subject)) return std::nullopt;
    return detail::pack(test::Answer{.verdict = verdict_});
}

}  // namespace saga::testing
