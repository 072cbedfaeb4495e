//! Roles and what they may do.

use crate::call::coded;
use serde::{Deserialize, Serialize};

coded! {
    /// A person's role. Each may do everything the ones after it may, save that only a platform
    /// administrator leaves their own tenant and an auditor reads everything and changes nothing.
    Role {
        /// Runs the whole machine: tenants, trunks, platform settings.
        PlatformAdmin = "platform_admin",
        /// Runs one tenant.
        TenantAdmin = "tenant_admin",
        /// Sees every call of the tenant and steers flows.
        Manager = "manager",
        /// Uses a phone; sees their own calls and messages.
        User = "user",
        /// Reads all of a tenant, changes nothing.
        Auditor = "auditor",
    }
}

coded! {
    /// Something a role may be allowed to do.
    Permission {
        /// Create, change and remove tenants, trunks and platform settings; read the machine's health.
        ManagePlatform = "manage_platform",
        /// Users, devices, numbers, tokens, retention and tenant settings.
        ManageTenant = "manage_tenant",
        /// Flows and prompts.
        ManageFlows = "manage_flows",
        /// See every call, recording and transcript of the tenant.
        ReadAllCalls = "read_all_calls",
        /// Change, end or delete any call of the tenant.
        ManageCalls = "manage_calls",
        /// See and change one's own calls and messages, place calls.
        UsePhone = "use_phone",
        /// Read the audit log.
        ReadAudit = "read_audit",
    }
}

impl Role {
    /// Whether this role may do that.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        match self {
            Self::PlatformAdmin => true,
            Self::TenantAdmin => !matches!(permission, Permission::ManagePlatform),
            Self::Manager => matches!(
                permission,
                Permission::ManageFlows | Permission::ReadAllCalls | Permission::ManageCalls | Permission::UsePhone
            ),
            Self::User => matches!(permission, Permission::UsePhone),
            Self::Auditor => matches!(permission, Permission::ReadAllCalls | Permission::ReadAudit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_platform_administrator_manages_the_platform() {
        for &role in Role::ALL {
            assert_eq!(
                role.may(Permission::ManagePlatform),
                role == Role::PlatformAdmin,
                "{role}"
            );
        }
    }

    #[test]
    fn an_auditor_changes_nothing() {
        for permission in [
            Permission::ManageTenant,
            Permission::ManageFlows,
            Permission::ManageCalls,
            Permission::UsePhone,
        ] {
            assert!(!Role::Auditor.may(permission));
        }
    }
}
