#include "saga/observer/contracts.hpp"

namespace saga::observer {

void Contracts::look() {
    auto found = bucket_.all();
    const std::lock_guard lock(mutex_);
    if (landscape_ && found == read_) return;
    landscape_ = std::make_shared<const view::Landscape>(view::landscape_of(found));
    read_ = std::move(found);
}

std::shared_ptr<const view::Landscape> Contracts::landscape() const {
    const std::lock_guard lock(mutex_);
    return landscape_;
}

}  // namespace saga::observer
