// A nats-server of the test's own: free port, temporary store, gone with the object.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace saga::testing {

/// A folder that goes with the object.
class TempFolder {
  public:
    TempFolder();
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::string operator/(std::string_view name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

/// Looks at `met` again and again; false when it was not met within `limit`.
bool eventually(const std::function<bool()>& met,
                std::chrono::milliseconds limit = std::chrono::seconds(20));

/// The servers to test against: SAGA_NATS_SERVERS, or what stands on the PATH. Never empty: without
/// any server the test program fails, and says so.
std::vector<std::string> servers();

class Broker {
  public:
    /// Starts `binary` with JetStream and waits until it answers. `extra` goes into its
    /// configuration file.
    explicit Broker(std::string binary, std::string extra = {});
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    std::string url() const;
    const std::string& binary() const { return binary_; }
    const TempFolder& folder() const { return folder_; }
    std::string log() const;  ///< What it has said.

    void kill();    ///< -9: what it had not written is lost.
    void start();   ///< Again, on the same port and store.
    void pause();   ///< SIGSTOP
    void resume();  ///< SIGCONT
    void wipe();    ///< Its whole store, while it is down.
    /// From its next start on, in place of the `extra` that it was made with.
    void configure(std::string extra) { extra_ = std::move(extra); }
    /// The store as it stands, while it is down: restore() brings it back.
    void save();
    void restore();

    /// Makes the streams and buckets, as `saga bootstrap` does.
    void bootstrap();

  private:
    TempFolder folder_;
    std::string binary_, extra_;
    int port_ = 0, process_ = -1;
};

}  // namespace saga::testing
