"""What is installed: plugins found, checked, and set aside with a cause where they are broken."""

from ferbench.plugins.discovery import discover
from ferbench.plugins.installed import Installed, PluginInfo
from ferbench.plugins.isolation import PluginCheck, check_in_subprocess
from ferbench.plugins.quarantine import Kind

__all__ = ["Installed", "Kind", "PluginCheck", "PluginInfo", "check_in_subprocess", "discover"]
