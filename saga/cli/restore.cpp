// saga restore: a backup takes the place of a stopped service's database.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "saga/cli/command_line.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/words.hpp"
#include "saga/runtime/backups.hpp"
#include "saga/runtime/key_file.hpp"
#include "saga/store/durable.hpp"
#include "saga/store/position.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

namespace fs = std::filesystem;

struct Given {
    std::string backup, data;
};

/// The one service whose database is in a backup's folder.
std::string service_in(const std::string& folder) {
    std::string service;
    std::error_code none;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, none)) {
        if (entry.path().extension() != ".db") continue;
        if (!service.empty())
            throw Stop(kUsage, fmt::format("{} has several databases: name the folder of one "
                                           "backup, as `saga backup` printed it",
                                           folder));
        service = entry.path().stem();
    }
    if (service.empty())
        throw Stop(kNotFound, fmt::format("{} is no backup: there is no database in it", folder));
    return service;
}

/// A copy that belongs to whom the folder belongs to: root restores for a service's user.
void copy_for(const std::string& from, const std::string& to) {
    fs::copy_file(from, to, fs::copy_options::overwrite_existing);
    fs::permissions(to, fs::perms::owner_read | fs::perms::owner_write);
    struct stat owner {};
    if (::geteuid() == 0 && ::stat(fs::path(to).parent_path().c_str(), &owner) == 0 &&
        ::chown(to.c_str(), owner.st_uid, owner.st_gid) != 0)
        throw Stop(kError, fmt::format("cannot give {} to the owner of its folder", to));
    store::sync_file(to);
}

/// Whole, and made with this key; otherwise throws Error.
void look_through(const std::string& path, const core::IdKey& key, const std::string& backup) {
    {
        store::Database db({.path = path, .vfs = {}});
        db.look_through();
        store::Meta meta(db);
        if (meta.text(store::Meta::kKey) != key.fingerprint().text())
            throw Stop(kError, fmt::format("the key in {} is not the one that its database was "
                                           "made with: take another backup",
                                           backup));
    }
    fs::remove(path + ".lock");
}

/// What stands in the way keeps its bytes, under another name; the name, or nothing.
std::string put_aside(const std::string& path) {
    if (!fs::exists(path)) return {};
    std::string aside;
    int nth = 1;
    do {
        aside = fmt::format("{}.before-{}", path, nth++);
    } while (fs::exists(aside));
    store::rename_durably(path, aside);
    return aside;
}

void restore(const Options& options, const Given& given) {
    const std::string service = service_in(given.backup);
    const std::string from = fmt::format("{}/{}", given.backup, service);
    const std::string to = fmt::format("{}/{}", given.data, service);
    const std::string its_key = runtime::key_path(given.data, service);
    const core::IdKey key = runtime::load_key(from + ".key", false);
    fs::create_directories(given.data);
    const store::FileLock lock(to + ".db");
    const bool has_key = fs::exists(its_key);
    if (has_key && runtime::load_key(its_key, false).fingerprint() != key.fingerprint())
        throw Stop(kError, fmt::format("{0} is not the key of this backup: with it every event "
                                       "would get another id. Is it another service's folder? If "
                                       "not, move {0} away",
                                       its_key));
    const std::string part = to + ".db.part";
    copy_for(from + ".db", part);
    try {
        look_through(part, key, given.backup);
    } catch (...) {
        for (const char* tail : {"", "-wal", ".lock"}) fs::remove(part + tail);
        throw;
    }
    if (!has_key) {
        copy_for(from + ".key", its_key + ".part");
        store::rename_durably(its_key + ".part", its_key);
    }
    // The database first: a WAL that is alone is of no harm, one beside another's database is.
    const std::string aside = put_aside(to + ".db");
    put_aside(to + ".db-wal");
    store::rename_durably(part, to + ".db");
    if (options.json)
        return out(line(nlohmann::ordered_json{
                       {"service", service}, {"database", to + ".db"}, {"before", aside}}) +
                   "\n");
    out(fmt::format("{}.db is restored\n", to));
    if (!aside.empty()) note(fmt::format("what stood there is {} now", aside));
    note(fmt::format("next: start {}; it catches up with the stream before it is ready", service));
}

}  // namespace

void add_restore(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command =
        tool.command("restore", "Put a backup in the place of a stopped service's database");
    command.group("Operate");
    command.footer(
        "Examples:\n"
        "  saga restore backups/payment-20261121T015554123456Z --data /var/lib/payment\n"
        "What stood there is kept under another name.");
    command.argument("backup", given->backup, "its folder, as `saga backup` printed it")
        .required()
        .type("FOLDER");
    command.option("--data", given->data, "the service's folder").required().type("FOLDER");
    command.runs([&options, given] { restore(options, *given); });
}

}  // namespace saga::cli
