#include "services/inventory/inventory.hpp"

int main(int argc, char** argv) {
    return saga::run(argc, argv, inventory_service());
}
