// The contracts as the bucket SAGA_CONTRACTS has them now.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "saga/view/bucket.hpp"
#include "saga/view/landscape.hpp"

namespace saga::observer {

/// Any thread.
class Contracts {
  public:
    explicit Contracts(view::Bucket bucket) : bucket_(std::move(bucket)) {}

    /// Looks into the bucket; throws what its Api throws.
    void look();
    /// As it was at the last look; null before the first. Another one whenever it has changed.
    std::shared_ptr<const view::Landscape> landscape() const;

  private:
    view::Bucket bucket_;
    mutable std::mutex mutex_;
    std::map<std::string, std::string> read_;
    std::shared_ptr<const view::Landscape> landscape_;
};

}  // namespace saga::observer
