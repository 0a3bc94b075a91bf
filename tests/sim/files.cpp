#include "tests/sim/files.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <set>

namespace saga::sim {

std::size_t File::memory() const {
    std::size_t bytes = now_.capacity() + synced_.capacity();
    bytes += unsynced_.capacity() * sizeof(Change);
    for (const Change& change : unsynced_) bytes += change.bytes.capacity();
    return bytes;
}

std::size_t File::read(std::size_t at, std::span<std::byte> to) const {
    const std::size_t there = at < now_.size() ? std::min(to.size(), now_.size() - at) : 0;
    if (there > 0) std::copy_n(now_.data() + at, there, to.data());
    std::fill(to.begin() + static_cast<std::ptrdiff_t>(there), to.end(), std::byte{});
    return there;
}

void File::write(std::size_t at, std::span<const std::byte> bytes) {
    apply(now_, unsynced_.emplace_back(Change{false, at, {bytes.begin(), bytes.end()}}));
}

void File::truncate(std::size_t size) {
    apply(now_, unsynced_.emplace_back(Change{true, size, {}}));
}

void File::sync() {
    for (const Change& change : unsynced_) apply(synced_, change);
    unsynced_.clear();
}

void File::fail_sync(Survival& survival) {
    for (const Change& change : unsynced_) {
        if (!change.truncates && survival.chance.happens(0.5))
            apply_torn(synced_, change, survival);
        else if (survival.next())
            apply(synced_, change);
    }
    unsynced_.clear();
}

void File::cut(Survival& survival) {
    fail_sync(survival);
    now_ = synced_;
}

void File::apply(std::vector<std::byte>& to, const Change& change) {
    const std::size_t end = change.at + change.bytes.size();
    if (change.truncates || to.size() < end) to.resize(end);
    std::copy(change.bytes.begin(), change.bytes.end(),
              to.begin() + static_cast<std::ptrdiff_t>(change.at));
}

void File::apply_torn(std::vector<std::byte>& to, const Change& change, Survival& survival) {
    const std::size_t size = change.bytes.size();
    for (std::size_t from = 0; from < size;) {
        const std::size_t room = kSector - (change.at + from) % kSector;
        const std::size_t length = std::min(room, size - from);
        if (survival.next()) {
            const auto begin = change.bytes.begin() + static_cast<std::ptrdiff_t>(from);
            const auto end = begin + static_cast<std::ptrdiff_t>(length);
            apply(to, {false, change.at + from, std::vector(begin, end)});
        }
        from += length;
    }
}

int File::highest_lock(const void* but_of) const {
    int highest = SQLITE_LOCK_NONE;
    for (const auto& [who, level] : locks_)
        if (who != but_of) highest = std::max(highest, level);
    return highest;
}

bool File::lock(const void* who, int level) {
    int& held = locks_[who];
    if (held >= level) return true;
    const int others = highest_lock(who);
    if (level == SQLITE_LOCK_SHARED && others >= SQLITE_LOCK_PENDING) return false;
    if (level >= SQLITE_LOCK_RESERVED && others >= SQLITE_LOCK_RESERVED) return false;
    if (level == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
        held = SQLITE_LOCK_PENDING;  // nobody begins to read any more
        return false;
    }
    held = level;
    return true;
}

void File::unlock(const void* who, int level) {
    if (level == SQLITE_LOCK_NONE)
        locks_.erase(who);
    else if (const auto held = locks_.find(who); held != locks_.end())
        held->second = std::min(held->second, level);
}

std::shared_ptr<File> Folder::find(std::string_view name) const {
    const auto found = now_.find(name);
    return found == now_.end() ? nullptr : found->second;
}

std::shared_ptr<File> Folder::make(const std::string& name) {
    return now_[name] = std::make_shared<File>();
}

void Folder::remove(std::string_view name) {
    if (const auto found = now_.find(name); found != now_.end()) now_.erase(found);
}

void Folder::sync_all() {
    for (const auto& [name, file] : now_) file->sync();
    sync();
}

Folder Folder::copy() const {
    std::map<const File*, std::shared_ptr<File>> copies;
    const auto copied = [&](const Names& names) {
        Names result;
        for (const auto& [name, file] : names) {
            std::shared_ptr<File>& copy = copies[file.get()];
            if (!copy) {
                copy = std::make_shared<File>(*file);
                copy->forget_locks();
            }
            result.emplace(name, copy);
        }
        return result;
    };
    Folder result;
    result.now_ = copied(now_);
    result.synced_ = copied(synced_);
    return result;
}

void Folder::cut(Survival& survival) {
    std::set<std::string> all;
    for (const Names* names : {&now_, &synced_})
        for (const auto& [name, file] : *names) all.insert(name);
    for (const std::string& name : all) {
        const std::shared_ptr<File> file = find(name);
        const auto known = synced_.find(name);
        if (file == (known == synced_.end() ? nullptr : known->second) || !survival.next())
            continue;
        if (file)
            synced_[name] = file;
        else
            synced_.erase(name);
    }
    now_ = synced_;
    for (const auto& [name, file] : now_) file->cut(survival);
}

}  // namespace saga::sim
