// Services on a stream of the test's own, without a broker, a thread or a clock: real workers on
// databases in memory or in a folder, driven until nothing is left to do.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <saga/service.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "saga/runtime/caller.hpp"
#include "saga/runtime/worker.hpp"
#include "saga/verify/verify.hpp"

namespace saga::testing {

class Village {
  public:
    /// `ask`: what calls are answered; throwing means unknown. Without a folder in memory.
    explicit Village(std::vector<Service> services, runtime::Ask ask = {},
                     const std::string& folder = {});
    ~Village();
    Village(const Village&) = delete;
    Village& operator=(const Village&) = delete;

    /// Sends a command, and settles. Whether it was accepted stands among the answers.
    template <class Request>
    std::string command(const std::string& service, const std::string& verb,
                        const Request& request) {
        std::string answer = submit(service, verb, detail::pack(request));
        settle();
        return answer;
    }
    /// As command, and settles nothing.
    std::string submit(const std::string& service, const std::string& verb,
                       std::vector<std::byte> body);
    /// What is in the stream's subject space, as anybody could put it there.
    void inject(std::string subject, std::vector<std::byte> bytes);
    /// Lets so much time pass, and what falls due happen.
    void elapse(std::chrono::milliseconds time);
    /// Works until nothing is due now.
    void settle();
    /// One round of one service, with what has come so far.
    void turn(const std::string& service);

    sqlite3* db(const std::string& service);
    void exec(const std::string& service, const std::string& sql);
    std::int64_t value(const std::string& service, const std::string& select);
    /// The landscape as it is now.
    verify::Landscape landscape();

  private:
    struct House;
    House& house(const std::string& service);
    void deliver(House& house);
    bool round(House& house);
    void perform_calls(House& house);

    runtime::Ask ask_;
    Time now_;
    std::map<std::string, std::unique_ptr<House>> houses_;
    std::vector<verify::Stored> stream_;
    std::vector<verify::Answer> answers_;
    std::uint64_t letters_ = 0, tokens_ = 0;
};

}  // namespace saga::testing
