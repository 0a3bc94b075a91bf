#pragma once

#include <saga/saga.hpp>

saga::Service inventory_service();
