#include "saga/runtime/backups.hpp"

#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "saga/core/envelope.hpp"
#include "saga/core/limits.hpp"
#include "saga/runtime/operations.hpp"
#include "saga/store/durable.hpp"

namespace saga::runtime {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::string_view kPart = ".part";

/// "20261121T015554123456Z": in the order of time, and a name of a file.
std::string compact(Time time) {
    std::string text;
    for (const char c : core::rfc3339(time))
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) text += c;
    return text;
}

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file || text.empty()) throw Error("cannot read the key " + path);
    return text;
}

void require_room(const std::string& folder, std::uint64_t bytes) {
    const std::uint64_t room = fs::space(folder).available;
    if (room < bytes + core::kBackupSpare)
        throw Error(
            fmt::format("{} has {} bytes of room, and a backup takes {} and leaves {}: make room, "
                        "or name another folder",
                        folder, room, bytes, core::kBackupSpare));
}

/// Of processes that died over one.
void remove_parts(const std::string& folder, const std::string& service) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(service + "-") && name.ends_with(kPart)) fs::remove_all(entry.path());
    }
}

ordered_json shown(const Backup& backup, std::string_view state) {
    return {{"name", backup.name()},
            {"state", state},
            {"path", backup.path()},
            {"copied_bytes", backup.copied_bytes()},
            {"bytes", backup.all_bytes()}};
}

std::string dump(const ordered_json& backup) {
    return ordered_json{{"backup", backup}}.dump(-1, ' ', false,
                                                 ordered_json::error_handler_t::replace);
}

}  // namespace

Backup::Backup(store::Database& db, const BackupPlace& place, Time now)
    : folder_(place.folder), name_(fmt::format("{}-{}", place.service, compact(now))) {
    try {
        const std::string key = content(place.key_path);
        fs::create_directories(folder_);
        folder_ = fs::canonical(folder_).string();
        remove_parts(folder_, place.service);
        require_room(folder_, fs::file_size(db.path()));
        fs::create_directory(part());
        fs::permissions(part(), fs::perms::owner_all);
        store::write_private(fmt::format("{}/{}.key", part(), place.service), key);
        copy_.emplace(db, fmt::format("{}/{}.db", part(), place.service));
        all_ = copy_->all_bytes();
    } catch (const fs::filesystem_error& failure) {
        throw Error(
            fmt::format("cannot make a backup in {}: {}", folder_, failure.code().message()));
    }
}

Backup::~Backup() {
    if (!copy_) return;
    copy_.reset();
    std::error_code none;
    fs::remove_all(part(), none);
}

std::string Backup::part() const {
    return path().append(kPart);
}

std::string Backup::path() const {
    return folder_ + "/" + name_;
}

bool Backup::step() {
    const bool whole = copy_->step();
    copied_ = copy_->copied_bytes();
    all_ = copy_->all_bytes();
    if (!whole) return false;
    store::sync_folder(part());
    store::rename_durably(part(), path());
    copy_.reset();
    return true;
}

std::string Backups::take(std::string_view body) {
    const auto json = ordered_json::parse(body, nullptr, false);
    if (json.is_object() && json.contains("name"))
        return told(json["name"].is_string() ? json["name"].get<std::string>() : "");
    if (place_.folder.empty()) return refused("unavailable", "it has no folder for backups");
    try {
        if (!making_) making_ = std::make_unique<Backup>(db_, place_, timeline_.now());
    } catch (const Error& failure) {
        return refused("failed", failure.what());
    }
    return told(making_->name());
}

std::string Backups::told(std::string_view name) const {
    if (making_ && making_->name() == name) return dump(shown(*making_, "running"));
    if (!last_.empty() && last_ == name) return last_json_;
    return refused("unknown", "there is no such backup, or it was begun before the service was");
}

void Backups::step() {
    if (!making_) return;
    try {
        if (!making_->step()) return;
        end(dump(shown(*making_, "done")));
    } catch (const Error& failure) {
        end(refused("failed", failure.what()));
    }
}

void Backups::give_up(std::string_view why) {
    if (making_) end(refused("failed", why));
}

void Backups::end(std::string said) {
    last_json_ = std::move(said);
    last_ = making_->name();
    making_.reset();
}

}  // namespace saga::runtime
